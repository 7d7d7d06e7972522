/** A state machine as a Mermaid state diagram. */
import type { StateMachine } from './machine-description.ts';

const classes = {
  AT_REST: 'fill:#eceff1,stroke:#607d8b',
  TRANSIENT: 'fill:#fff8e1,stroke:#ffa000',
  LIVE: 'fill:#e8f5e9,stroke:#2e7d32',
  ERROR: 'fill:#ffebee,stroke:#c62828',
} as const;

/** Draws every edge on its own, also where several share target and trigger. */
export function mermaidOf(machine: StateMachine): string {
  const [first] = machine.states;
  return [
    'stateDiagram-v2',
    ...Object.entries(classes).map(([name, style]) => `  classDef ${name} ${style}`),
    `  [*] --> ${first?.name}`,
    ...machine.edges.map(({ from, to, trigger }) => `  ${from} --> ${to}: ${labelOf(trigger)}`),
    ...machine.states.map(({ name, class: stateClass }) => `  class ${name} ${stateClass}`),
    '',
  ].join('\n');
}

/** Mermaid ends a label at these characters. */
function labelOf(trigger: string): string {
  return trigger.replace(/[:;#]/g, ',');
}
