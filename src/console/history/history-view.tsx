export function HistoryView({ path }: { path: readonly string[] }) {
  return <h1>History {path[1]}</h1>;
}
