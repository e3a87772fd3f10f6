/**
 * resource.Quantity: "100m", "1.5Gi", "2e3", 4. Exact: kept as a whole number of billionths, which is as fine as
 * Kubernetes goes (finer is rounded up, away from zero).
 * Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */
export interface Quantity {
  readonly nano: bigint;
  readonly format: 'decimal' | 'binary' | 'exponent';
}

/** undefined when the text is no quantity. */
export function parseQuantity(text: string | number): Quantity | undefined {
  const match = pattern.exec(String(text));
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', suffix = ''] = match;
  if (whole === '' && fraction === '') return undefined;
  const unit = unitOf(suffix);
  if (unit === undefined) return undefined;
  const digits = BigInt(whole + fraction) * unit.nano;
  const magnitude = divideUp(digits, 10n ** BigInt(fraction.length) * unit.divisor);
  if (magnitude > most) return undefined;
  return { nano: sign === '-' ? -magnitude : magnitude, format: unit.format };
}

/** A quantity that is known to be valid: it has passed the schema. */
export function quantityOf(text: string | number): Quantity {
  const quantity = parseQuantity(text);
  if (quantity === undefined) throw new Error(`not a quantity: ${JSON.stringify(text)}`);
  return quantity;
}

/** Thousandths of one, rounded up: CPU in millicores. */
export const milliOf = (text: string | number): number =>
  Number(divideUp(quantityOf(text).nano, 1_000_000n));

/** Whole ones, rounded up: bytes, pods. */
export const wholeOf = (text: string | number) => Number(divideUp(quantityOf(text).nano, NANO));

/** Negative, zero or positive, as a − b. */
export function compareQuantities(a: string | number, b: string | number): number {
  const [left, right] = [quantityOf(a).nano, quantityOf(b).nano];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Kubernetes' canonical form: the largest suffix that leaves a whole number. */
export function formatQuantity({ nano, format }: Quantity): string {
  if (nano === 0n) return '0';
  const whole = nano % NANO === 0n;
  if (format === 'binary' && whole) {
    const unit = powersIn(nano / NANO, 1024n, BINARY.length - 1);
    return `${nano / NANO / 1024n ** BigInt(unit)}${BINARY[unit]}`;
  }
  const exponent = powersIn(nano, 1000n, DECIMAL.length - 1);
  const mantissa = nano / 1000n ** BigInt(exponent);
  if (format === 'exponent' && exponent > 3) return `${mantissa}e${(exponent - 3) * 3}`;
  return `${mantissa}${DECIMAL[exponent]}`;
}

/** A million digits would take a tenth of a second each time that they are read. */
const pattern = /^([+-]?)(\d{0,60})(?:\.(\d{0,60}))?([a-zA-Z]{0,2}|[eE][+-]?\d{1,3})$/;

const NANO = 1_000_000_000n;
/** Far beyond every machine; its canonical form can be read again. */
const most = 10n ** 30n * NANO;
const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

interface Unit {
  readonly nano: bigint;
  readonly divisor: bigint;
  readonly format: Quantity['format'];
}

function unitOf(suffix: string): Unit | undefined {
  const decimal = DECIMAL.indexOf(suffix);
  if (decimal >= 0) return { nano: 1000n ** BigInt(decimal), divisor: 1n, format: 'decimal' };
  const binary = BINARY.indexOf(suffix);
  if (binary >= 0) return { nano: NANO << BigInt(10 * binary), divisor: 1n, format: 'binary' };
  if (!/^[eE][+-]?\d+$/.test(suffix)) return undefined;
  const exponent = Number(suffix.slice(1));
  if (Math.abs(exponent) > MAX_EXPONENT) return undefined;
  const power = 10n ** BigInt(Math.abs(exponent));
  return exponent < 0
    ? { nano: NANO, divisor: power, format: 'exponent' }
    : { nano: NANO * power, divisor: 1n, format: 'exponent' };
}

/** Bounds the size of the numbers that a request can make us compute. */
const MAX_EXPONENT = 30;

function divideUp(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  return dividend % divisor > 0n ? quotient + 1n : quotient;
}

/** How often `base` goes into it, `most` at most. */
function powersIn(value: bigint, base: bigint, most: number): number {
  let count = 0;
  for (let rest = value; rest % base === 0n && count < most; rest /= base) count++;
  return count;
}
