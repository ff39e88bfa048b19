import { address, path, section } from '../setting.ts'

/** Where the gateway keeps what must survive a restart. */
export const dataDir = path('./data', 'Directory for everything that survives a restart; created when missing.', {
  env: 'CASTOR_DATA_DIR',
  restart: true,
  example: '/var/lib/castor',
})

/** The shared store for several gateways. */
export const redis = section('Shared by several gateways. Without it each keeps its own stores in dataDir.', {
  url: address('redisUrl', '', 'Address of Redis 8 or later. Empty: embedded stores.', {
    env: 'REDIS_URL',
    restart: true,
    secret: 'password',
    example: 'redis://localhost:6379',
  }),
})
