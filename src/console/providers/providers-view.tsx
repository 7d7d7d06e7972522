/** The compute providers: whether each answers, what of it is taken, and the hosts on it. */
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { RequestError } from '../app/connection.ts';
import { Link } from '../app/router.tsx';
import { useReread } from '../operations/reread.ts';
import { type Provider, readProviders } from './provider.ts';
import { ProviderCard } from './provider-card.tsx';
import './providers.css';

const providers = signal<readonly Provider[] | null>(null);
const failure = signal<string | null>(null);

export function ProvidersView() {
  useEffect(
    () => () => {
      providers.value = null;
    },
    [],
  );
  useReread(async (isAsked) => {
    await readProviders().then(
      (read) => {
        if (!isAsked()) return;
        providers.value = read;
        failure.value = null;
      },
      (error: unknown) => {
        if (isAsked() && error instanceof RequestError && error.code !== 'UNREACHABLE')
          failure.value = error.message;
      },
    );
  }, []);
  return (
    <>
      <h1>Compute providers</h1>
      <p class="quiet">
        What hosts are allocated on, asked once a minute.{' '}
        <Link href="/create/docker-engine">Register a Docker engine</Link>
      </p>
      {failure.value && <p role="alert">{failure.value}</p>}
      <div class="providers">
        {providers.value?.map((provider) => (
          <ProviderCard key={provider.key} provider={provider} />
        ))}
      </div>
    </>
  );
}
