import type { Event } from '../api/event.ts';
import type { Pod } from '../api/pod.ts';

/** An image on its way to the nodes, as pods' events and statuses tell it. */
export type ImagePull = ReturnType<typeof imagePulls>[number];

/** Pulls of these pods that have ended. Pure. */
export function imagePulls(events: readonly Event[], pods: readonly Pod[]) {
  const nodeOf = new Map(pods.map(({ metadata, spec }) => [metadata.uid, spec.nodeName ?? '']));
  const pulls = events.flatMap(({ message = '', involvedObject: { uid = '' } }) => {
    const node = nodeOf.get(uid);
    const match = pulled.exec(message);
    if (node === undefined || match === null) return [];
    const [, image = '', seconds = '', bytes = ''] = match;
    return [{ image, node, seconds: Number(seconds), bytes: Number(bytes) }];
  });
  return [...Map.groupBy(pulls, ({ image }) => image)].map(([image, ofImage]) => ({
    image,
    bytes: Math.max(...ofImage.map(({ bytes }) => bytes)),
    nodes: [...Map.groupBy(ofImage, ({ node }) => node)]
      .map(([node, there]) => ({ node, seconds: Math.max(...there.map((one) => one.seconds)) }))
      .toSorted((a, b) => (a.node < b.node ? -1 : 1)),
  }));
}

const pulled = /^Successfully pulled image "([^"]+)" in ([\d.]+)s.*?Image size: (\d+) bytes/;

/** "hello:1 2.1 MB · host1 0.2 s · host2 0.3 s" */
export function formatPull({ image, bytes, nodes }: ImagePull): string {
  const size = `${(bytes / 1_000_000).toFixed(1)} MB`;
  const times = nodes.map(({ node, seconds }) => `${node} ${seconds.toFixed(1)} s`);
  return [`${image}  ${size}`, ...times].join(' · ');
}

/** "pulling image: 12.0 MB of 45.0 MB": of the first pod that says so; undefined: none does. */
export function pullProgress(pods: readonly Pod[]): string | undefined {
  const messages = pods.flatMap(({ status }) =>
    [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])].flatMap(
      ({ state }) => state.waiting?.message ?? [],
    ),
  );
  const said = messages.find((message) => message.startsWith('Pulling image: '));
  return said === undefined ? undefined : `p${said.slice(1)}`;
}
