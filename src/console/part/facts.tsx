/** Names and values, one below the other. */
import type { ComponentChildren } from 'preact';
import './part.css';

export type FactList = readonly (readonly [name: string, value: ComponentChildren])[];

/** A value that is null, undefined or false is left out with its name. */
export function Facts({ facts }: { facts: FactList }) {
  return (
    <dl class="fact-list">
      {facts
        .filter(([, value]) => value !== null && value !== undefined && value !== false)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}
