export function InstanceView({ path }: { path: readonly string[] }) {
  return <h1>Instance {path[1]}</h1>;
}
