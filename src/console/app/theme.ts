/** Light or dark: as the system has it, or as was chosen here. */
import { effect, signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';

const stored = localStorage.getItem('theme');
export const theme = signal<Theme>(stored === 'light' || stored === 'dark' ? stored : 'system');

effect(() => {
  if (theme.value === 'system') localStorage.removeItem('theme');
  else localStorage.setItem('theme', theme.value);
  document.documentElement.dataset.theme = theme.value;
});
