/** Solutions, and one of them: its document, what changed between versions, and which instances run which. */
import { List } from './list.tsx';
import { SolutionPage } from './solution-page.tsx';
import './solutions.css';

export function SolutionsView({ path }: { path: readonly string[] }) {
  const [, key] = path;
  return key === undefined ? <List /> : <SolutionPage key={key} name={key} />;
}
