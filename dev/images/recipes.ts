import { directory, textFile } from './layer.ts';
import { accounts, type LayerRecipe } from './layer-recipe.ts';
import { buildImage, type ImageRecipe, type OciImage } from './oci-image.ts';

const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Answers HTTP with `hello from $HOSTNAME on $NODE` on port 8080 ($PORT); has busybox's commands, a shell too. */
export function buildHelloImage(cacheDir: string): Promise<OciImage> {
  return buildImage(hello, cacheDir);
}

/** Debian's nginx on port 80; content in /usr/share/nginx/html, further servers in /etc/nginx/conf.d/*.conf. */
export function buildNginxImage(cacheDir: string): Promise<OciImage> {
  return buildImage(nginx, cacheDir);
}

/** Debian's redis-server on port 6379, data in /data. */
export function buildRedisImage(cacheDir: string): Promise<OciImage> {
  return buildImage(redis, cacheDir);
}

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

const base: LayerRecipe = {
  comment: 'libc and busybox',
  packages: ['libc6', 'busybox-static'],
  files: accounts,
};

const nginxConf = `user www-data;
worker_processes auto;
pid /run/nginx.pid;
error_log /dev/stderr notice;
events { worker_connections 1024; }
http {
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log /dev/stdout;
  sendfile on;
  keepalive_timeout 65;
  include /etc/nginx/conf.d/*.conf;
}
`;

const nginxServer = `server {
  listen 80;
  root /usr/share/nginx/html;
  index index.html;
}
`;

const nginx: ImageRecipe = {
  name: 'nginx',
  index: false,
  layers: [
    base,
    {
      comment: 'libraries',
      packages: ['libcrypt1', 'libpcre2-8-0', 'libssl3', 'zlib1g'],
      files: [],
    },
    { comment: 'nginx', packages: ['nginx', 'nginx-common'], files: [] },
    {
      comment: 'configuration',
      packages: [],
      files: [
        textFile('etc/nginx/nginx.conf', nginxConf),
        textFile('etc/nginx/conf.d/default.conf', nginxServer),
        directory('var/lib/nginx'),
        directory('var/log/nginx'),
      ],
    },
  ],
  config: {
    Cmd: ['nginx', '-g', 'daemon off;'],
    Env: [path],
    ExposedPorts: { '80/tcp': {} },
    StopSignal: 'SIGQUIT',
  },
};

/** Without it redis refuses every client that isn't local. */
const startRedis = `#!/bin/sh
if [ "$1" = redis-server ]; then set -- "$@" --protected-mode no; fi
exec "$@"
`;

const redis: ImageRecipe = {
  name: 'redis',
  index: false,
  layers: [
    base,
    {
      comment: 'libraries',
      packages: [
        'libatomic1',
        'libcap2',
        'libgcc-s1',
        'libgcrypt20',
        'libgpg-error0',
        'libhiredis0.14',
        'libjemalloc2',
        'liblua5.1-0',
        'liblz4-1',
        'liblzf1',
        'liblzma5',
        'libssl3',
        'libstdc++6',
        'libsystemd0',
        'libzstd1',
        'lua-bitop',
        'lua-cjson',
      ],
      files: [],
    },
    {
      comment: 'redis',
      packages: ['redis-tools', 'redis-server'],
      files: [
        textFile('usr/local/bin/entrypoint', startRedis, 0o755),
        directory('data', 0o755, 999),
      ],
    },
  ],
  config: {
    Entrypoint: ['/usr/local/bin/entrypoint'],
    Cmd: ['redis-server'],
    Env: [path],
    WorkingDir: '/data',
    Volumes: { '/data': {} },
    ExposedPorts: { '6379/tcp': {} },
  },
};
