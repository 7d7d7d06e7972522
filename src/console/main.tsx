import { render } from 'preact';

render(<p>Instance Manager</p>, document.getElementById('root')!);
