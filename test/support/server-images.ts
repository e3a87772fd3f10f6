import { path } from '../../dev/images/hello-image.ts';
import { directory, textFile } from '../../dev/images/layer.ts';
import { accounts, type LayerRecipe } from '../../dev/images/layer-recipe.ts';
import { buildImage, type ImageRecipe, type OciImage } from '../../dev/images/oci-image.ts';

/** Debian's nginx on port 80; content in /usr/share/nginx/html, further servers in /etc/nginx/conf.d/*.conf. */
export function buildNginxImage(cacheDir: string): Promise<OciImage> {
  return buildImage(nginx, cacheDir);
}

/** Debian's redis-server on port 6379, data in /data. */
export function buildRedisImage(cacheDir: string): Promise<OciImage> {
  return buildImage(redis, cacheDir);
}

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
