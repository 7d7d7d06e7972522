export function CreateView({ path }: { path: readonly string[] }) {
  return <h1>Create {path[1]}</h1>;
}
