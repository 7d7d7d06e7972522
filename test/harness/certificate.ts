/** A certificate that its own key has signed, for servers of tests. */
import { execFileSync } from 'node:child_process';

/**
 * The certificate for `localhost`, and its key, in one PEM text.
 *
 * @param address an IP address that it is valid for as well
 */
export function makeCertificate(address?: string): string {
  const names = address ? ['-addext', `subjectAltName=DNS:localhost,IP:${address}`] : [];
  const options = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const files = ['-keyout', '-', '-out', '-'];
  return execFileSync(
    'openssl',
    ['req', '-x509', ...options, '-subj', '/CN=localhost', '-days', '2', ...names, ...files],
    { encoding: 'utf8', stdio: 'pipe' },
  );
}
