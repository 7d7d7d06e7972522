/** A value of JSON, indented. */
import { CodeBlock } from './code-block.tsx';

export function JsonView({ value, label }: { value: unknown; label: string }) {
  return <CodeBlock text={JSON.stringify(value, null, 2) ?? 'null'} label={label} />;
}
