/** The state of a subscription, by shape, word and colour. */
import { endText, type LiveStream } from '../stream/streams.ts';
import { second } from '../time.ts';

const shapes = { CONNECTING: '◌', LIVE: '●', LOST: '△', ENDED: '■' } as const;

export function stateText({ state, since, resumedAt, gap, end }: LiveStream): string {
  switch (state) {
    case 'CONNECTING':
      return 'Connecting';
    case 'LIVE':
      if (gap && gap.at >= (resumedAt ?? 0)) return `Live since ${second(gap.at)}, after a gap`;
      return resumedAt === null ? 'Live' : `Live, resumed at ${second(resumedAt)}`;
    case 'LOST':
      return `Connection lost at ${second(since)}, connecting again`;
    case 'ENDED':
      return `Ended at ${second(since)}: ${end ? endText(end) : ''}`;
  }
}

export function StateText({ stream }: { stream: LiveStream }) {
  const failed = stream.end?.reason === 'FAILED';
  return (
    <span
      className="im-stream-state"
      role="status"
      tabIndex={-1}
      data-state={failed ? 'FAILED' : stream.state}
    >
      <span aria-hidden="true">{failed ? '✕' : shapes[stream.state]} </span>
      {stateText(stream)}
    </span>
  );
}
