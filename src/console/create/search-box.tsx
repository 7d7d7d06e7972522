/** Searches a list of choices that is longer than a page. Nothing where it is not. */
import { loadChoices, searched } from './choices.ts';

let timer: ReturnType<typeof setTimeout> | undefined;

export function SearchBox({
  list,
  label,
  shown,
  all,
}: {
  list: 'host' | 'deviceRepository';
  label: string;
  shown: number;
  all: number;
}) {
  const text = searched.value[list];
  if (all <= shown && text === '') return null;
  const id = `search-${list}`;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="search"
        value={text}
        aria-describedby={`${id}-hint`}
        onInput={({ currentTarget }) => {
          searched.value = { ...searched.peek(), [list]: currentTarget.value };
          clearTimeout(timer);
          timer = setTimeout(() => void loadChoices(), 250);
        }}
      />
      <p class="hint" id={`${id}-hint`} role="status">
        {all} match{all > shown && `, the first ${shown} are in the list`}.
      </p>
    </div>
  );
}
