/** A state machine as a Mermaid state diagram. */
import type { StateMachine } from './state-machine.ts';

const classes = {
  AT_REST: 'fill:#eceff1,stroke:#607d8b',
  TRANSIENT: 'fill:#fff8e1,stroke:#ffa000',
  LIVE: 'fill:#e8f5e9,stroke:#2e7d32',
  ERROR: 'fill:#ffebee,stroke:#c62828',
} as const;

/** Writes the diagram. Ways into one state by one trigger are drawn one by one, as they are. */
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

/** Mermaid ends a label at these. */
function labelOf(trigger: string): string {
  return trigger.replace(/[:;#]/g, ',');
}
