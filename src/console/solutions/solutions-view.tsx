export function SolutionsView({ path }: { path: readonly string[] }) {
  return <h1>Solutions {path[1]}</h1>;
}
