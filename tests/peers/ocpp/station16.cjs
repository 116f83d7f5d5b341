// A charging station of OCPP 1.6 whose framing, transport and schema checks are other people's (ocpp-rpc, strict mode).
// Only the car behind it is ours: it draws all it may, which is what the profile says that counts now.
const { RPCClient } = require('ocpp-rpc')

const [endpoint, identity] = process.argv.slice(2)
const MOST_W = 11040
const profiles = new Map()
let transactionId
let wattSeconds = 3600 * 1000

function counts(now) {
  const inTransaction = ['TxProfile', 'TxDefaultProfile'].flatMap((purpose) =>
    [...profiles.values()]
      .filter((one) => one.chargingProfilePurpose === purpose && limitNow(one, now) !== undefined)
      .sort((a, b) => b.stackLevel - a.stackLevel))
  const most = [...profiles.values()].filter((one) => one.chargingProfilePurpose === 'ChargePointMaxProfile')
  const limits = [...inTransaction.slice(0, 1), ...most].map((one) => limitNow(one, now))
  return Math.min(MOST_W, ...limits.filter((one) => one !== undefined))
}

function limitNow(profile, now) {
  const schedule = profile.chargingSchedule
  const start = Date.parse(schedule.startSchedule)
  const end = Math.min(start + (schedule.duration ?? 1e9) * 1000, Date.parse(profile.validTo ?? '9999-01-01'))
  if (now < start || now >= end) return undefined
  return schedule.chargingSchedulePeriod.filter((one) => start + one.startPeriod * 1000 <= now).at(-1)?.limit
}

async function main() {
  const station = new RPCClient({ endpoint, identity, protocols: ['ocpp1.6'], strictMode: true })
  station.on('strictValidationFailure', ({ error }) => {
    console.error(`WRONG ${error.message} ${JSON.stringify(error.details)}`)
  })
  const moment = () => new Date().toISOString()
  const power = () => (transactionId === undefined ? 0 : counts(Date.now()))
  const register = () => Math.floor(wattSeconds / 3600)

  station.handle('GetConfiguration', ({ params }) => ({
    configurationKey: [
      { key: 'ChargeProfileMaxStackLevel', readonly: true, value: '3' },
      { key: 'ChargingScheduleAllowedChargingRateUnit', readonly: true, value: 'Power' },
    ].filter((one) => params.key?.includes(one.key) ?? true),
  }))
  station.handle('SetChargingProfile', ({ params }) => {
    const profile = params.csChargingProfiles
    const own = profile.chargingProfilePurpose === 'TxProfile'
    if (profile.stackLevel > 3 || (own && profile.transactionId !== transactionId)) return { status: 'Rejected' }
    profiles.set(profile.chargingProfileId, profile)
    return { status: 'Accepted' }
  })
  station.handle('ClearChargingProfile', ({ params }) => ({
    status: profiles.delete(params.id) ? 'Accepted' : 'Unknown',
  }))
  station.handle('GetCompositeSchedule', ({ params }) => ({
    status: 'Accepted',
    connectorId: params.connectorId,
    scheduleStart: moment(),
    chargingSchedule: {
      duration: params.duration,
      chargingRateUnit: 'W',
      chargingSchedulePeriod: [{ startPeriod: 0, limit: counts(Date.now()) }],
    },
  }))
  station.handle('RemoteStopTransaction', ({ params }) => {
    if (params.transactionId !== transactionId) return { status: 'Rejected' }
    setTimeout(async () => {
      const ended = { transactionId, meterStop: register(), timestamp: moment(), reason: 'Remote' }
      transactionId = undefined
      await station.call('StopTransaction', ended)
    }, 10)
    return { status: 'Accepted' }
  })

  await station.connect()
  const told = await station.call('BootNotification', { chargePointVendor: 'peer', chargePointModel: 'ocpp-rpc' })
  if (told.status !== 'Accepted') throw new Error(`boot: ${told.status}`)
  await station.call('StatusNotification', { connectorId: 1, errorCode: 'NoError', status: 'Preparing' })
  const started = await station.call('StartTransaction', {
    connectorId: 1, idTag: 'PEER', meterStart: register(), timestamp: moment(),
  })
  transactionId = started.transactionId
  for (;;) {
    wattSeconds += power() * 0.1
    const about = { context: 'Sample.Periodic' }
    if (transactionId !== undefined) {
      await station.call('MeterValues', {
        connectorId: 1,
        transactionId,
        meterValue: [{
          timestamp: moment(),
          sampledValue: [
            { value: String(power()), measurand: 'Power.Active.Import', unit: 'W', ...about },
            { value: String(register()), measurand: 'Energy.Active.Import.Register', unit: 'Wh', ...about },
          ],
        }],
      })
    }
    await new Promise((done) => setTimeout(done, 100))
  }
}

main().catch((error) => {
  console.error(`WRONG ${error.message}`)
  process.exit(1)
})
