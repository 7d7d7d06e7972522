/** The sign-in page. It is static, so its policy can name the hashes of its script and style. */

export const signInScript = `
const code = new URLSearchParams(location.hash.slice(1)).get('code');
const say = (text) => { document.getElementById('message').textContent = text; };
history.replaceState(null, '', location.pathname);
if (!code) {
  say('Open the link that the start of the server printed, or make another: npm run link');
} else {
  fetch('/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code }),
  }).then(async (answer) => {
    if (answer.ok) return location.replace('/');
    const { errors } = await answer.json();
    say(errors[0].message);
  }).catch(() => say('The server did not answer. Is it still running?'));
}
`;

export const signInStyle = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 32em; margin: 20vh auto; padding: 0 1em; }
`;

export const signInPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sign in · Instance Manager</title>
<link rel="icon" href="data:,">
<style>${signInStyle}</style>
</head>
<body>
<h1>Instance Manager</h1>
<p id="message" role="status">Signing in …</p>
<noscript><p>Signing in takes JavaScript.</p></noscript>
<script>${signInScript}</script>
</body>
</html>
`;
