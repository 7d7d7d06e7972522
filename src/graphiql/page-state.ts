/** What the panels share: the tab in front, and what each tab shows in its response pane. */
import type { FetcherParams } from '@graphiql/toolkit';
import type { GraphQLSchema } from 'graphql';
import { createContext, useContext } from 'react';
import { createObservable, type Observable } from './observable.ts';
import type { Streams } from './stream/streams.ts';

export interface Answer {
  readonly params: FetcherParams;
  readonly result: unknown;
}

export interface TabView {
  readonly shows: 'EVENTS' | 'RESPONSE';
  /** The subscription whose events the tab shows. */
  readonly streamId: number | null;
  /** The last answer of a query or mutation. */
  readonly answer: Answer | null;
  /** The text of an answer that came while another tab was in front; null: GraphiQL has the answer. */
  readonly late: string | null;
}

export interface PageState extends Observable {
  readonly streams: Streams;
  /** The tab in front; GraphiQL writes it before it runs an operation. */
  tabId: string;
  schema: GraphQLSchema | null;
  view(tabId: string): TabView;
  show(tabId: string, change: Partial<TabView>): void;
  /** The code that the panel of errors explains. */
  code(): string | null;
  explain(code: string | null): void;
}

const nothing: TabView = { shows: 'RESPONSE', streamId: null, answer: null, late: null };

export function createPageState(streams: Streams): PageState {
  const [observable, changed] = createObservable();
  const views = new Map<string, TabView>();
  const view = (tabId: string): TabView => views.get(tabId) ?? nothing;
  let code: string | null = null;
  return {
    ...observable,
    ...{ streams, tabId: '', schema: null },
    view,
    show(tabId, change) {
      views.set(tabId, { ...view(tabId), ...change });
      changed();
    },
    code: () => code,
    explain(next) {
      code = next;
      changed();
    },
  };
}

export const PageStateContext = createContext<PageState | null>(null);

export function usePageState(): PageState {
  const pageState = useContext(PageStateContext);
  if (!pageState) throw new Error('There is no pageState around this component.');
  return pageState;
}
