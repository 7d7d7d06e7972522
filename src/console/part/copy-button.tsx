/** Copies a text, and says that it did. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import './part.css';

const shownMs = 2000;

/** `text`: what is copied, or a function that makes it on the click. `of`: what it is, for screen readers. */
export function CopyButton({ text, of }: { text: string | (() => string); of: string }) {
  const outcome = useSignal<'COPIED' | 'FAILED' | null>(null);
  useEffect(() => {
    if (outcome.value === null) return;
    const timer = setTimeout(() => {
      outcome.value = null;
    }, shownMs);
    return () => clearTimeout(timer);
  }, [outcome.value]);
  return (
    <button
      type="button"
      class="copy"
      aria-label={`Copy ${of}`}
      onClick={async () => {
        const isCopied = await copy(typeof text === 'string' ? text : text());
        outcome.value = isCopied ? 'COPIED' : 'FAILED';
      }}
    >
      <span role="status">
        {outcome.value === 'COPIED' ? 'Copied' : outcome.value === 'FAILED' ? 'Not copied' : 'Copy'}
      </span>
    </button>
  );
}

/** The clipboard of browsers is for secure contexts alone; elsewhere a selection is copied. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const focused = document.activeElement;
    const area = document.createElement('textarea');
    area.value = text;
    area.className = 'unseen';
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand('copy');
    area.remove();
    if (focused instanceof HTMLElement) focused.focus();
    return isCopied;
  }
}
