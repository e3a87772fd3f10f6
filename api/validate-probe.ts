import { invalidBecause } from './check-metadata.ts';
import { type FieldError, type FieldPath, forbiddenField, requiredField } from './field-error.ts';
import { checkPortName } from './names.ts';
import type { Probe } from './probe.ts';

export function validateProbe(probe: Probe, at: FieldPath): readonly FieldError[] {
  const [first, ...more] = (['exec', 'httpGet', 'tcpSocket'] as const).filter(
    (handler) => probe[handler] !== undefined,
  );
  if (first === undefined) return [requiredField(at, 'must specify a handler type')];
  return [
    ...more.map((handler) =>
      forbiddenField(at(handler), 'may not specify more than 1 handler type'),
    ),
    ...validateHandler(probe, at),
  ];
}

/** "http", or a number from 1 to 65535. */
export function checkPortNumberOrName(port: number | string): string | undefined {
  if (typeof port === 'string') return checkPortName(port);
  return port >= 1 && port <= 65_535 ? undefined : 'must be between 1 and 65535, inclusive';
}

function validateHandler(
  { exec, httpGet, tcpSocket }: Probe,
  at: FieldPath,
): readonly FieldError[] {
  const ports = [
    ['httpGet', httpGet?.port],
    ['tcpSocket', tcpSocket?.port],
  ] as const;
  return [
    ...(exec && !exec.command?.length ? [requiredField(at('exec')('command'))] : []),
    ...ports.flatMap(([handler, port]) =>
      port === undefined
        ? []
        : invalidBecause(at(handler)('port'), port, checkPortNumberOrName(port)),
    ),
  ];
}
