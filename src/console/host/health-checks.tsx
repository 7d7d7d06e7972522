/** The checks of a host's health in the last hour: those that the server keeps, above what the history says. */
import { Facts } from '../part/facts.tsx';
import { Section } from '../part/section.tsx';
import { now, Time } from '../part/time.tsx';
import { type Span, spansOf } from '../timeline/lanes.ts';
import type { Timeline } from '../timeline/timeline.ts';
import type { Host } from './host.ts';

const shownMs = 3_600_000;

export function HealthChecks({ host, timeline }: { host: Host; timeline: Timeline }) {
  const { lastCheckAt, lastOkAt } = host;
  const isAnswered = lastCheckAt !== null && lastOkAt !== null && lastOkAt >= lastCheckAt;
  return (
    <Section id="checks" title="Health checks">
      <Facts
        facts={[
          [
            'Last check',
            lastCheckAt ? (
              <>
                <Time at={lastCheckAt} /> (<Time at={lastCheckAt} exact />
                ), <strong>{isAnswered ? 'answered' : 'not answered'}</strong>
              </>
            ) : (
              'never'
            ),
          ],
          [
            'Last answer',
            lastOkAt ? (
              <>
                <Time at={lastOkAt} /> (<Time at={lastOkAt} exact />)
              </>
            ) : (
              'never'
            ),
          ],
        ]}
      />
      <Strip host={host} timeline={timeline} />
    </Section>
  );
}

/** What the state says of the checks. */
function meaningOf(state: string): { word: string; tone: string } {
  if (state === 'FAILED_HEALTH_CHECK') return { word: 'a check failed', tone: 'ERROR' };
  if (state === 'RUNNING') return { word: 'no check failed', tone: 'GOOD' };
  return { word: 'offline, starting or restarting', tone: 'OFF' };
}

function Strip({ host, timeline }: { host: Host; timeline: Timeline }) {
  const to = now.value;
  const from = to - shownMs;
  const createdAt = timeline.hasEarlier.value ? null : timeline.createdAt.value;
  const transitions = timeline.transitions.value ?? [];
  const spans = spansOf(transitions, { state: host.state, createdAt }).filter(
    (span) => (span.to ?? to) > from,
  );
  const checks = host.healthChecks
    .map(({ at, answered }) => ({ at: Date.parse(at), answered }))
    .filter(({ at }) => at >= from);
  const unanswered = checks.filter(({ answered }) => !answered).length;
  const percentOf = (at: number) => ((Math.max(at, from) - from) / shownMs) * 100;
  const failures = spans.filter(({ state }) => state === 'FAILED_HEALTH_CHECK').length;
  const widthOf = (span: Span) => Math.max(0.3, percentOf(span.to ?? to) - percentOf(span.from));
  return (
    <>
      <svg
        class="checks"
        viewBox="0 0 100 20"
        preserveAspectRatio="none"
        role="img"
        aria-label={`The last hour: ${failures === 0 ? 'no failed check' : `${failures} times a check failed`}; ${checks.length} checks, ${unanswered} of them not answered.`}
      >
        {spans.map((span) => (
          <rect
            key={span.from}
            data-tone={meaningOf(span.state).tone}
            x={percentOf(span.from)}
            width={widthOf(span)}
            y="6"
            height="14"
          >
            <title>{meaningOf(span.state).word}</title>
          </rect>
        ))}
        {checks.map(({ at, answered }) => (
          <rect
            key={at}
            class="check-mark"
            data-tone={answered ? 'GOOD' : 'ERROR'}
            x={percentOf(at) - 0.15}
            width="0.3"
            y={answered ? 2 : 0}
            height={answered ? 18 : 20}
          />
        ))}
      </svg>
      <p class="checks-axis quiet">
        <span>an hour ago</span>
        <span>now</span>
      </p>
      <ul class="checks-legend bare quiet">
        {['RUNNING', 'FAILED_HEALTH_CHECK', 'OFFLINE'].map((state) => (
          <li key={state}>
            <span class="swatch" data-tone={meaningOf(state).tone} /> {meaningOf(state).word}
          </li>
        ))}
        <li>Marks above: the newest 60 checks.</li>
      </ul>
    </>
  );
}
