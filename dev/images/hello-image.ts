import { textFile } from './layer.ts';
import { accounts } from './layer-recipe.ts';
import { buildImage, type ImageRecipe, type OciImage } from './oci-image.ts';

export const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Answers HTTP with `hello from $HOSTNAME on $NODE` on port 8080 ($PORT); has busybox's commands, a shell too. */
export const buildHelloImage = (cacheDir: string): Promise<OciImage> => buildImage(hello, cacheDir);

/** The first process of a pid namespace gets no signal that it doesn't handle: so the shell stays, and traps. */
const serveHello = `#!/bin/sh
httpd -f -p "\${PORT:-8080}" -h /www &
trap 'kill $!; exit 0' TERM INT
echo "hello listens on port \${PORT:-8080}"
wait $!
`;

/** A CGI program, not a file, so that the root file system may be read-only and the user anyone. */
const answerHello = `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
echo "hello from \${HOSTNAME:-$(hostname)} on \${NODE:-an unknown node}"
`;

const hello: ImageRecipe = {
  name: 'hello',
  index: true,
  layers: [
    { comment: 'busybox', packages: ['busybox-static'], files: accounts },
    {
      comment: 'hello over HTTP',
      packages: [],
      files: [
        textFile('bin/hello', serveHello, 0o755),
        textFile('www/cgi-bin/index.cgi', answerHello, 0o755),
      ],
    },
  ],
  config: { Entrypoint: ['/bin/hello'], Env: [path], ExposedPorts: { '8080/tcp': {} } },
};
