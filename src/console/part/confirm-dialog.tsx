/** Asks before what can not be undone: the key has to be typed. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';
import './part.css';

/** Shown while it is mounted. `typed`: the text that has to be typed before `onConfirm` is called. */
export function ConfirmDialog({
  title,
  typed,
  action,
  children,
  onConfirm,
  onClose,
}: {
  title: string;
  typed: string;
  /** The word on the button. */
  action: string;
  children: ComponentChildren;
  onConfirm: () => void;
  onClose: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const text = useSignal('');
  const id = useId();
  // Before the next key is pressed.
  useLayoutEffect(() => dialog.current?.showModal(), []);
  const isTyped = text.value.trim() === typed;
  const close = () => dialog.current?.close();
  return (
    <dialog ref={dialog} class="confirm" aria-labelledby={id} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!isTyped) return;
          close();
          onConfirm();
        }}
      >
        <h2 id={id}>{title}</h2>
        {children}
        <label>
          <span>
            Type <code>{typed}</code> to go on
          </span>
          <input
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            value={text.value}
            onInput={({ currentTarget }) => {
              text.value = currentTarget.value;
            }}
          />
        </label>
        <div class="confirm-buttons">
          <button type="button" onClick={close}>
            Keep it
          </button>
          <button type="submit" class="danger" aria-disabled={!isTyped}>
            {action}
          </button>
        </div>
      </form>
    </dialog>
  );
}
