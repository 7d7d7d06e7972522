/** The address of the page: which view is shown, and what it is filtered and ordered by. */
import { signal } from '@preact/signals';
import type { AnchorHTMLAttributes, ComponentChildren } from 'preact';

export interface Address {
  /** The parts of the path: `/instances/greenhouse-1` has two. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

const read = (): Address => ({
  path: location.pathname.split('/').filter(Boolean).map(decoded),
  query: new URLSearchParams(location.search),
});

/** A part that is not well encoded (`%ff`) stays as it is: nothing has that key. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const address = signal<Address>(read());

addEventListener('popstate', () => {
  address.value = read();
});

/** Opens another address of the console. */
export function open(href: string): void {
  history.pushState(null, '', href);
  address.value = read();
  scrollTo(0, 0);
  document.querySelector<HTMLElement>('main')?.focus({ preventScroll: true });
}

/** Changes the query of the address in place, so that the view can be shared; null removes a name. */
export function setQuery(change: Readonly<Record<string, string | null>>): void {
  const query = new URLSearchParams(address.peek().query);
  for (const [name, value] of Object.entries(change)) {
    if (value === null || value === '') query.delete(name);
    else query.set(name, value);
  }
  history.replaceState(null, '', `${location.pathname}${query.size > 0 ? `?${query}` : ''}`);
  address.value = read();
}

/** A link within the console. */
export function Link({
  href,
  children,
  ...rest
}: { href: string; children: ComponentChildren } & AnchorHTMLAttributes) {
  return (
    <a
      {...rest}
      href={href}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
        event.preventDefault();
        open(href);
      }}
    >
      {children}
    </a>
  );
}
