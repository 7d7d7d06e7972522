/** Where an instance listens, each with commands for a terminal that work. */
import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { client } from '../app/connection.ts';
import { CodeBlock } from '../part/code-block.tsx';
import { CopyButton } from '../part/copy-button.tsx';
import { Section } from '../part/section.tsx';
import { type Call, callsOf } from './curl.ts';
import type { Definition, Endpoint } from './definition.ts';
import { definitionQuery, type Instance } from './instance.ts';

interface DefinitionRead {
  readonly instance: {
    readonly run: { readonly solutionVersion: { readonly definition: Definition } | null } | null;
    readonly solutionVersion: { readonly definition: Definition } | null;
    readonly solution: { readonly latestVersion: { readonly definition: Definition } | null };
  } | null;
}

/** The document of the version that runs, ran last, or would run; read again when that changes. */
export function useDefinition({ key, run, solution, solutionVersion }: Instance) {
  const definition = useSignal<Definition | null>(null);
  const version = [
    run?.id,
    solution.key,
    solution.latestVersion?.version,
    solutionVersion?.version,
  ];
  useEffect(() => {
    let isCurrent = true;
    client.query<DefinitionRead>({ query: definitionQuery, variables: { key } }).then(
      ({ instance }) => {
        const read = instance?.run?.solutionVersion ?? instance?.solutionVersion;
        const found = read ?? instance?.solution.latestVersion;
        if (isCurrent) definition.value = found?.definition ?? null;
      },
      // What is shown without it says so; the next version is read anew.
      console.error,
    );
    return () => {
      isCurrent = false;
    };
  }, [key, version.join(' ')]);
  return definition;
}

export function Endpoints({
  endpoints,
  definition,
}: {
  endpoints: Instance['endpoints'];
  definition: Signal<Definition | null>;
}) {
  return (
    <Section id="endpoints" title="Endpoints">
      {endpoints === null && (
        <p class="quiet">Not known now: the runtime can not be asked where it listens.</p>
      )}
      {endpoints?.length === 0 && (
        <p class="quiet">
          Nothing is open. It takes messages while it is Running, and answers input commands while
          it is Running or Paused.
        </p>
      )}
      {messagesFirst(endpoints ?? []).map((endpoint) => (
        <EndpointCard key={endpoint.name} endpoint={endpoint} definition={definition.value} />
      ))}
    </Section>
  );
}

const messagesFirst = (endpoints: readonly Endpoint[]): readonly Endpoint[] =>
  endpoints.toSorted((a, b) => b.kind.localeCompare(a.kind) || a.name.localeCompare(b.name));

function EndpointCard({
  endpoint,
  definition,
}: {
  endpoint: Endpoint;
  definition: Definition | null;
}) {
  const { kind, name, url, dnsName, port, address } = endpoint;
  const named = dnsName && url.replace(address.includes(':') ? `[${address}]` : address, dnsName);
  const calls = definition ? callsOf(endpoint, definition) : [];
  return (
    <article class="endpoint">
      <h3>
        {kind === 'MESSAGES' ? 'Messages' : 'Input commands'}
        {kind === 'MESSAGES' && <span class="quiet"> by {name}</span>}
      </h3>
      <Address text={url} of={`address of ${name}`} />
      {named ? (
        <Address text={named} of={`address of ${name} by DNS name`} />
      ) : (
        <p class="quiet">No DNS name now; the port is {port}.</p>
      )}
      {calls.map((call) => (
        <CallView key={call.name} call={call} />
      ))}
      {definition && calls.length === 0 && (
        <p class="quiet">The solution declares nothing for it.</p>
      )}
    </article>
  );
}

function Address({ text, of }: { text: string; of: string }) {
  return (
    <p class="endpoint-address">
      <code>{text}</code> <CopyButton text={text} of={of} />
    </p>
  );
}

function CallView({ call }: { call: Call }) {
  const { name, description, program, command, keySetting, toReplace } = call;
  return (
    <details class="call">
      <summary>
        {program}: <code>{name}</code>
      </summary>
      {description && <p class="quiet">{description}</p>}
      <CodeBlock text={command} label={`${program} for ${name}`} />
      {keySetting && (
        <p class="quiet">
          <code>API_KEY</code> is the setting <code>{keySetting}</code> of this instance.
        </p>
      )}
      {toReplace.length > 0 && (
        <p class="quiet">
          Replace the value of {toReplace.join(', ')}: its pattern is in the solution.
        </p>
      )}
    </details>
  );
}
