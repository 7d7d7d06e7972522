export function HostView({ path }: { path: readonly string[] }) {
  return <h1>Host {path[1]}</h1>;
}
