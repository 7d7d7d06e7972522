/** A part of a view, with a heading that names it. */
import type { ComponentChildren } from 'preact';
import './part.css';

export function Section({
  id,
  title,
  tools,
  children,
}: {
  id: string;
  title: ComponentChildren;
  tools?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <section class="card section" id={id} aria-labelledby={`${id}-title`}>
      <div class="section-head">
        <h2 id={`${id}-title`}>{title}</h2>
        {tools && <div class="section-tools">{tools}</div>}
      </div>
      {children}
    </section>
  );
}
