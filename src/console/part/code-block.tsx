/** A text to copy, as code. */
import { CopyButton } from './copy-button.tsx';

/** `label`: what the text is, for the name of the copy button. */
export function CodeBlock({ text, label }: { text: string; label: string }) {
  return (
    <div class="code-block">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls needs the keyboard */}
      <pre tabIndex={0}>
        <code>{text}</code>
      </pre>
      <CopyButton text={text} of={label} />
    </div>
  );
}
