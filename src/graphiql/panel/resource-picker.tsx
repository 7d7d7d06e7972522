/** Fills the variables `instance` and `host` with one of those that there are now. */
import { pick, ToolbarButton, ToolbarMenu, useGraphiQL } from '@graphiql/react';
import { type DocumentNode, Kind } from 'graphql';
import { useState } from 'react';
import { post } from '../fetcher.ts';

const kinds = ['instance', 'host'] as const;
type Kinds = (typeof kinds)[number];
const mostChoices = 200;

interface Choice {
  readonly key: string;
  readonly state: string;
}

export function ResourcePickers() {
  const document = useGraphiQL(({ documentAST }) => documentAST);
  const taken = variablesOf(document);
  return kinds
    .filter((kind) => taken.includes(kind))
    .map((kind) => <Picker key={kind} kind={kind} />);
}

function variablesOf(document: DocumentNode | undefined): string[] {
  return (document?.definitions ?? []).flatMap((each) =>
    each.kind === Kind.OPERATION_DEFINITION
      ? (each.variableDefinitions ?? []).map(({ variable }) => variable.name.value)
      : [],
  );
}

async function readChoices(kind: Kinds): Promise<readonly Choice[] | string> {
  const query = `{ choices: ${kind}s(first: ${mostChoices}, orderBy: { field: KEY }) { nodes { key state } } }`;
  try {
    const { data, errors } = await post({ query });
    return data?.choices?.nodes ?? errors?.[0]?.message ?? 'They cannot be read.';
  } catch (error) {
    return String(error);
  }
}

function Picker({ kind }: { kind: Kinds }) {
  const { variableEditor } = useGraphiQL(pick('variableEditor'));
  const [choices, setChoices] = useState<readonly Choice[] | string>('Reading …');
  function choose(key: string): void {
    let variables: Record<string, unknown> = {};
    try {
      variables = JSON.parse(variableEditor?.getValue() || '{}');
    } catch {} // What cannot be read is replaced.
    variableEditor?.setValue(JSON.stringify({ ...variables, [kind]: key }, null, 2));
  }
  const label = `Choose the ${kind}`;
  return (
    <ToolbarMenu
      onOpenChange={(isOpen) => {
        if (isOpen) readChoices(kind).then(setChoices);
      }}
      button={
        <ToolbarButton label={label}>
          {kind === 'instance' ? <InstanceIcon /> : <HostIcon />}
        </ToolbarButton>
      }
    >
      {typeof choices === 'string' && <p className="im im-empty">{choices}</p>}
      {typeof choices !== 'string' &&
        choices.map(({ key, state }) => (
          <ToolbarMenu.Item key={key} onSelect={() => choose(key)}>
            {key} <span className="im-quiet">{state}</span>
          </ToolbarMenu.Item>
        ))}
      {choices.length === 0 && <p className="im im-empty">There is none.</p>}
      {choices.length === mostChoices && (
        <p className="im im-empty">The first {mostChoices}. Write another one yourself.</p>
      )}
    </ToolbarMenu>
  );
}

const InstanceIcon = () => (
  <svg className="graphiql-toolbar-icon" viewBox="0 0 16 16" aria-hidden="true">
    <path
      d="M8 1.5 14 5v6l-6 3.5L2 11V5z M2 5l6 3.5L14 5 M8 8.5v6"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.3"
    />
  </svg>
);

const HostIcon = () => (
  <svg className="graphiql-toolbar-icon" viewBox="0 0 16 16" aria-hidden="true">
    <path
      d="M2 2.5h12v4.5H2z M2 9h12v4.5H2z M4.5 4.75h.01 M4.5 11.25h.01"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.3"
    />
  </svg>
);
