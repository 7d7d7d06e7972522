/** Icons of the panels. */
import type { ReactNode } from 'react';

const icon = (paths: ReactNode) => () => (
  <svg
    viewBox="0 0 20 20"
    fill="none"
    stroke="currentColor"
    strokeWidth="1.5"
    strokeLinecap="round"
    strokeLinejoin="round"
    aria-hidden="true"
  >
    {paths}
  </svg>
);

export const ExamplesIcon = icon(<path d="M4 3h9l3 3v11H4z M7 8h6 M7 11h6 M7 14h4" />);

export const LiveIcon = icon(
  <>
    <circle cx="10" cy="10" r="2" fill="currentColor" />
    <path d="M5.5 5.5a6.4 6.4 0 0 0 0 9 M14.5 5.5a6.4 6.4 0 0 1 0 9 M3 3a10 10 0 0 0 0 14 M17 3a10 10 0 0 1 0 14" />
  </>,
);

export const ErrorsIcon = icon(<path d="M10 3 18 17H2z M10 8v4 M10 14.5v.1" />);
