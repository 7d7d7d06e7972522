/** The way from a code to what it means. */
import { useGraphiQLActions } from '@graphiql/react';
import { useDesk } from '../desk.ts';
import { errorsTitle } from '../panel/errors-panel.tsx';

export function ExplainButton({ code }: { code: string }) {
  const desk = useDesk();
  const { setVisiblePlugin } = useGraphiQLActions();
  return (
    <button
      type="button"
      className="im-button"
      onClick={() => {
        setVisiblePlugin(errorsTitle);
        desk.explain(code);
      }}
    >
      What is {code}?
    </button>
  );
}
