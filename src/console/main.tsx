/** The console: the page at `/`. A client of the public API alone. */
import { render } from 'preact';
import { App } from './app/app.tsx';
import './style.css';

const root = document.getElementById('root');
if (root) render(<App />, root);
