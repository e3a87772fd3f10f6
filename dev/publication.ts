import { UsageError } from '../base/flags.ts';

/** A port of this machine that leads to a Service. */
export interface Publication {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  /** "hello.default" */
  readonly service: string;
  readonly servicePort: number;
}

/** "[ADDRESS:]PORT:SERVICE[.NAMESPACE][:PORT]". Throws UsageError. */
export function parsePublication(text: string): Publication {
  const label = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?';
  const format = new RegExp(`^(?:([\\d.]+):)?(\\d+):(${label})(?:\\.(${label}))?(?::(\\d+))?$`);
  const [, address = '127.0.0.1', port, name, namespace = 'default', servicePort = '80'] =
    format.exec(text) ?? [];
  const isPort = (number: string | undefined) => Number(number) <= 65_535;
  if (!isPort(port) || !isPort(servicePort))
    throw new UsageError(
      `--publish must be [ADDRESS:]PORT:SERVICE[.NAMESPACE][:PORT], not ${text}`,
    );
  const service = `${name}.${namespace}`;
  return { address, port: Number(port), service, servicePort: Number(servicePort) };
}
