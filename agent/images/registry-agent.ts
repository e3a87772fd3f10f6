import { type Dispatcher, EnvHttpProxyAgent, Pool } from 'undici';
import { hostOf, noRegistries, type RegistryHost } from './registries.ts';
import type { RegistryNetwork } from './registry-transport.ts';

/** undici's connections, by a proxy if there is one. A host with a TLS of its own has them to itself. */
export function openAgents(network: RegistryNetwork) {
  const agents = new Map<string, Dispatcher>();
  return {
    agentFor(host: string): Dispatcher {
      const tls = hostOf(network.registries ?? noRegistries, host)?.tls;
      const key = tls === undefined ? '' : host;
      const agent = agents.get(key) ?? openAgent(network, tls);
      agents.set(key, agent);
      return agent;
    },
    close: () => Promise.all([...agents.values()].map((agent) => agent.destroy())),
  };
}

function openAgent(network: RegistryNetwork, tls: RegistryHost['tls']): Dispatcher {
  const { connectTimeoutMs: timeout, proxySocket: socketPath } = network;
  const proxySocket = socketPath === undefined ? {} : { connect: { timeout, socketPath } };
  return new EnvHttpProxyAgent({
    ...proxiesOf(network),
    connect: { timeout, ...tls },
    requestTls: { timeout, ...tls },
    proxyTls: { timeout },
    clientFactory: (proxy, options) =>
      new Pool(proxy, { ...options, headersTimeout: timeout, ...proxySocket }),
  });
}

/** What undici doesn't find here it would look for in the environment. */
function proxiesOf({ proxySocket, insecure, proxies }: RegistryNetwork) {
  if (proxySocket === undefined) {
    const { http = '', https = '', not = '' } = proxies ?? {};
    return { httpProxy: http, httpsProxy: https, noProxy: not };
  }
  // No way out leads to the hosts' own network, where registries are that are named insecure.
  const noProxy = insecure.join();
  return { httpProxy: 'http://proxy', httpsProxy: 'http://proxy', noProxy, proxyTunnel: true };
}
