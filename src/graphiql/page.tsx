/** GraphiQL with our panels. */
import { pick, type TabsState, useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { operations } from 'example-operations';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { useEffect, useState } from 'react';
import { createFetcher } from './fetcher.ts';
import { ResponsePane } from './log/response-pane.tsx';
import { useObservable } from './observable.ts';
import { type PageState, PageStateContext, usePageState } from './page-state.ts';
import { ErrorsPanel, errorsTitle } from './panel/errors-panel.tsx';
import { ExamplesPanel } from './panel/examples-panel.tsx';
import { ErrorsIcon, ExamplesIcon, LiveIcon } from './panel/icons.tsx';
import { LivePanel } from './panel/live-panel.tsx';
import { defaultVariables } from './panel/open-document.ts';
import { ResourcePickers } from './panel/resource-picker.tsx';

const examples = { title: 'Examples', icon: ExamplesIcon, content: ExamplesPanel };
const first = operations[0]?.document ?? '';
const plugins = [
  examples,
  { title: 'Live', icon: LiveIcon, content: LivePanel },
  { title: errorsTitle, icon: ErrorsIcon, content: ErrorsPanel },
  HISTORY_PLUGIN,
];

/**
 * What the editors begin with: the address, else the tab that was in front, else the first example. By itself
 * GraphiQL begins with the texts that were edited last, whatever tab they belong to.
 */
function beginning(): { query?: string; variables?: string } {
  const address = new URLSearchParams(location.search);
  const query = address.get('query');
  if (query !== null) return { query, variables: address.get('variables') ?? '' };
  try {
    const { tabs, activeTabIndex }: TabsState = JSON.parse(
      localStorage.getItem('graphiql:tabState') ?? '',
    );
    const tab = tabs[activeTabIndex];
    return { query: tab?.query ?? '', variables: tab?.variables ?? '' };
  } catch {
    return { variables: defaultVariables(first) };
  }
}

export function Page({ pageState }: { pageState: PageState }) {
  const [fetcher] = useState(() => createFetcher(pageState));
  const [{ query, variables }] = useState(beginning);
  return (
    <PageStateContext value={pageState}>
      <main>
        <h1 className="im-heading">GraphiQL</h1>
        <GraphiQL
          fetcher={fetcher}
          plugins={plugins}
          visiblePlugin={examples}
          initialQuery={query}
          initialVariables={variables}
          defaultTabs={[{ query: first, variables: defaultVariables(first) }]}
          defaultEditorToolsVisibility="variables"
          onTabChange={({ tabs, activeTabIndex }: TabsState) => {
            pageState.tabId = tabs[activeTabIndex]?.id ?? '';
          }}
          onSchemaChange={(schema) => {
            pageState.schema = schema;
          }}
        >
          <GraphiQL.Logo>
            <Corner />
          </GraphiQL.Logo>
          <GraphiQL.Toolbar>
            {({ prettify, merge, copy }) => (
              <>
                <ResourcePickers />
                {prettify}
                {merge}
                {copy}
              </>
            )}
          </GraphiQL.Toolbar>
          <GraphiQL.Footer>
            <ResponsePane />
          </GraphiQL.Footer>
        </GraphiQL>
      </main>
    </PageStateContext>
  );
}

const themes = [null, 'light', 'dark'] as const;
const themeNames = { system: 'System', light: 'Light', dark: 'Dark' } as const;

/** The corner of the page: the way to the console, how much is live, and the theme. */
function Corner() {
  const pageState = usePageState();
  useObservable(pageState.streams);
  const { tabs, activeTabIndex, theme, queryEditor } = useGraphiQL(
    pick('tabs', 'activeTabIndex', 'theme', 'queryEditor'),
  );
  const { setTheme, setVisiblePlugin } = useGraphiQLActions();
  pageState.tabId = tabs[activeTabIndex]?.id ?? '';
  useEffect(() => queryEditor?.updateOptions({ wordWrap: 'on' }), [queryEditor]);
  // With more tabs than there is room for, the new one would stand out of sight.
  useEffect(() => {
    const tab = document.querySelectorAll('.graphiql-tab')[activeTabIndex];
    tab?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [activeTabIndex, tabs.length]);
  // GraphiQL reads the theme of the system once; its editors would keep it.
  useEffect(() => {
    const system = matchMedia('(prefers-color-scheme: dark)');
    const follow = (): void => setTheme(theme);
    system.addEventListener('change', follow);
    return () => system.removeEventListener('change', follow);
  }, [theme, setTheme]);
  const live = pageState.streams.all().filter(({ state }) => state !== 'ENDED').length;
  return (
    <nav className="im im-corner" aria-label="Page">
      {live > 0 && (
        <button type="button" className="im-button" onClick={() => setVisiblePlugin('Live')}>
          {live} live
        </button>
      )}
      <button
        type="button"
        className="im-button"
        onClick={() => setTheme(themes[(themes.indexOf(theme) + 1) % themes.length] ?? null)}
      >
        Theme: {themeNames[theme ?? 'system']}
      </button>
      <a href="/">Console</a>
    </nav>
  );
}
