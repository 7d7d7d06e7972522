/** The views of the console. Each is loaded when it is first opened. */
import type { ComponentType } from 'preact';

export interface View {
  readonly title: (path: readonly string[]) => string;
  readonly load: () => Promise<ComponentType<{ path: readonly string[] }>>;
}

const fleet: View = {
  title: () => 'Fleet',
  load: async () => (await import('../fleet/fleet-view.tsx')).FleetView,
};
const views: Readonly<Record<string, View>> = {
  '/': fleet,
  '/instances': {
    title: ([, key = '']) => key,
    load: async () => (await import('../instance/instance-view.tsx')).InstanceView,
  },
  '/hosts': {
    title: ([, key = '']) => key,
    load: async () => (await import('../host/host-view.tsx')).HostView,
  },
  '/create': {
    title: () => 'Create an instance',
    load: async () => (await import('../create/create-view.tsx')).CreateView,
  },
  '/solutions': {
    title: ([, key]) => key ?? 'Solutions',
    load: async () => (await import('../solutions/solutions-view.tsx')).SolutionsView,
  },
  '/providers': {
    title: () => 'Providers',
    load: async () => (await import('../providers/providers-view.tsx')).ProvidersView,
  },
  '/operations': {
    title: () => 'Operations',
    load: async () => (await import('../operations/operations-view.tsx')).OperationsView,
  },
  '/history': {
    title: () => 'History',
    load: async () => (await import('../history/history-view.tsx')).HistoryView,
  },
};

/** The view of an address; that of the fleet where the address names none. */
export function viewOf([first = '', ...rest]: readonly string[]): View {
  const isList = (first === 'instances' || first === 'hosts') && rest.length === 0;
  return (isList ? undefined : views[`/${first}`]) ?? fleet;
}
