import { X509Certificate } from 'node:crypto';

/** Whether a certificate has to be renewed: only a third of its life is left, or none. */
export function isDue(certificatePem: string, now: number): boolean {
  const { validFromDate, validToDate } = new X509Certificate(certificatePem);
  const life = validToDate.getTime() - validFromDate.getTime();
  return validToDate.getTime() - now <= life / 3;
}
