export function OperationsView({ path }: { path: readonly string[] }) {
  return <h1>Operations {path[1]}</h1>;
}
