import { Endpoints } from '../../api/endpoints.ts';
import type { Kind } from '../../api/kind.ts';
import { endpointsHandles } from './endpoints.ts';
import type { KindHandles } from './resource-routes.ts';
import { reviewHandles } from './review-routes.ts';
import { usageHandles } from './usage-routes.ts';

/** What is measured, asked or put together, with how it is served. */
export const unstoredKinds: ReadonlyMap<Kind, KindHandles> = new Map([
  ...usageHandles,
  ...Array.from(reviewHandles, ([kind, collection]) => [kind, { collection, object: {} }] as const),
  [Endpoints as Kind, endpointsHandles] as const,
]);
