/** The way from a code to what it means. */
import { useGraphiQLActions } from '@graphiql/react';
import { usePageState } from '../page-state.ts';
import { errorsTitle } from '../panel/errors-panel.tsx';
import { toResponse, usePassFocus } from '../pass-focus.ts';

export function ExplainButton({ code }: { code: string }) {
  const pageState = usePageState();
  const { setVisiblePlugin } = useGraphiQLActions();
  const button = usePassFocus<HTMLButtonElement>(toResponse);
  return (
    <button
      ref={button}
      type="button"
      className="im-button"
      onClick={() => {
        setVisiblePlugin(errorsTitle);
        pageState.explain(code);
      }}
    >
      What is {code}?
    </button>
  );
}
