/** What each error code means, and what to do. */
import { useGraphiQL } from '@graphiql/react';
import { type GraphQLEnumType, type GraphQLSchema, isEnumType } from 'graphql';
import { useEffect } from 'react';
import { useObservable } from '../observable.ts';
import { usePageState } from '../page-state.ts';
import { requestCodes } from './request-codes.ts';
import { Text } from './text.tsx';

export const errorsTitle = 'Errors';

type Codes = readonly (readonly [code: string, meaning: string])[];

export function ErrorsPanel() {
  const pageState = usePageState();
  useObservable(pageState);
  const schema = useGraphiQL((state) => state.schema);
  const chosen = pageState.code();
  useEffect(() => {
    if (chosen) document.getElementById(`im-code-${chosen}`)?.scrollIntoView({ block: 'center' });
  }, [chosen]);
  return (
    <section className="im im-panel" aria-label={errorsTitle}>
      <h2>{errorsTitle}</h2>
      <CodeList
        title="Refused requests"
        about="In `errors`, as `extensions.code`."
        codes={Object.entries(requestCodes)}
        chosen={chosen}
      />
      {codeEnums(schema).map((each) => (
        <CodeList
          key={each.name}
          title={each.name}
          about={each.description ?? ''}
          codes={each.getValues().map(({ name, description }) => [name, description ?? ''])}
          chosen={chosen}
        />
      ))}
    </section>
  );
}

/** `UserErrorCode` and its like. */
function codeEnums(schema: GraphQLSchema | null | undefined): GraphQLEnumType[] {
  return Object.values(schema?.getTypeMap() ?? {})
    .filter(isEnumType)
    .filter(({ name }) => name.endsWith('Code'));
}

function CodeList({
  title,
  about,
  codes,
  chosen,
}: {
  title: string;
  about: string;
  codes: Codes;
  chosen: string | null;
}) {
  return (
    <section aria-label={title}>
      <h3 className="im-group">{title}</h3>
      <p className="im-quiet">
        <Text>{about}</Text>
      </p>
      <dl className="im-codes">
        {codes.map(([code, meaning]) => (
          <div key={code} id={`im-code-${code}`} data-chosen={code === chosen}>
            <dt>
              <code>{code}</code>
            </dt>
            <dd>
              <Text>{meaning}</Text>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** The codes of an answer that can be explained: those of errors, of refusals and of failures in its data. */
export function codesIn(result: unknown, schema: GraphQLSchema | null): string[] {
  const known = new Set([
    ...Object.keys(requestCodes),
    ...codeEnums(schema).flatMap((each) => each.getValues().map(({ name }) => name)),
  ]);
  return [...new Set(codesWithin(result))].filter((code) => known.has(code)).slice(0, 3);
}

function codesWithin(value: unknown, depth = 0): string[] {
  if (typeof value !== 'object' || value === null || depth > 6) return [];
  const { code } = value as { code?: unknown };
  const within = Object.values(value).slice(0, 50);
  return [
    ...(typeof code === 'string' ? [code] : []),
    ...within.flatMap((each) => codesWithin(each, depth + 1)),
  ];
}
