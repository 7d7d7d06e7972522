export function FleetView({ path }: { path: readonly string[] }) {
  return <h1>Fleet {path[1]}</h1>;
}
