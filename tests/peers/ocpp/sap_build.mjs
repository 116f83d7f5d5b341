import { build } from 'esbuild'
const none = { name: 'none', setup(b) {
  b.onResolve({ filter: /^(@mikro-orm\/|mongodb)/ }, a => ({ path: a.path, namespace: 'none' }))
  b.onLoad({ filter: /.*/, namespace: 'none' }, () => ({ contents: 'const f = () => () => {}; export const Entity=f, PrimaryKey=f, Property=f; export class MikroORM {}; export class MongoClient {}; export class TsMorphMetadataProvider {}', loader: 'js' })) } }
await build({ bundle: true, entryNames: '[name]', entryPoints: ['./src/start.ts', './src/charging-station/ChargingStationWorker.ts'], packages: 'bundle', plugins: [none],
 external: ['node:*','@modelcontextprotocol/*','ajv','ajv-formats','basic-ftp','chalk','date-fns','date-fns/*','http-status-codes','logform','mnemonist','poolifier','prom-client','tar','winston','winston/*','winston-daily-rotate-file','ws','zod'], format: 'esm', outdir: './dist', platform: 'node', target: 'node20' })
