/** Says what in the address is not known, and offers the view without it. */
import { setQuery } from '../app/router.tsx';
import type { UnknownValue } from './unknown.ts';

export function UnknownNotice({ unknown }: { unknown: readonly UnknownValue[] }) {
  if (unknown.length === 0) return null;
  return (
    <div role="alert" class="unknown">
      {unknown.map(({ name, value }) => (
        <p key={name}>
          The address of this page asks for <code>{name}</code> = <code>{value}</code>. There is no
          such value.
        </p>
      ))}
      <button
        type="button"
        onClick={() => setQuery(Object.fromEntries(unknown.map(({ name, rest }) => [name, rest])))}
      >
        Show the view without it
      </button>
    </div>
  );
}
