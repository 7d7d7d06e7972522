/** The operations of `schema/operations/`, by what they are for. */
import { useGraphiQLActions } from '@graphiql/react';
import { type ExampleOperation, operations } from 'example-operations';
import { useOpenDocument } from './open-document.ts';
import { Text } from './text.tsx';

const groups = [
  ['watch', 'Watch'],
  ['command', 'Command'],
  ['look', 'Look'],
  ['understand', 'Understand'],
] as const;

export function ExamplesPanel() {
  return (
    <section className="im im-panel" aria-label="Examples">
      <h2>Examples</h2>
      {groups.map(([group, title]) => (
        <section key={group} aria-label={title}>
          <h3 className="im-group">{title}</h3>
          <ul className="im-cards">
            {operations
              .filter((each) => each.group === group)
              .map((each) => (
                <Example key={each.name} {...each} />
              ))}
          </ul>
        </section>
      ))}
    </section>
  );
}

function Example({ title, description, document }: ExampleOperation) {
  const open = useOpenDocument();
  const { run } = useGraphiQLActions();
  return (
    <li className="im-card">
      <div className="im-card-head">
        <h4>{title}</h4>
        <button
          type="button"
          className="im-button"
          disabled={!open}
          aria-label={`Open ${title}`}
          onClick={() => open?.({ query: document })}
        >
          Open
        </button>
        <button
          type="button"
          className="im-button"
          disabled={!open}
          aria-label={`Run ${title}`}
          onClick={() => {
            open?.({ query: document });
            run();
          }}
        >
          Run
        </button>
      </div>
      <p>
        <Text>{description}</Text>
      </p>
    </li>
  );
}
