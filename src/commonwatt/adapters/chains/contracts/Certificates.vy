# pragma version ==0.4.3
"""
@title Certificates: where energy came from, a unit a watt-hour, and who has claimed it
@license Apache-2.0
@notice Issued by those whom the Timelock admits, once for the same facts, whoever of them issues; moved like any ERC-1155
    token; claimed once, which burns it and notes for whom. What is claimed is never moved or claimed again.
@dev https://eips.ethereum.org/EIPS/eip-1155, ERC-1888 (https://github.com/ethereum/EIPs/issues/1888) as of June 2021.
    How the log's facts are told here (nothing in the ledger issues certificates yet):
    `id` counts from 1; `value` is Wh;
    `topic` says what is certified and how `data` is read. TOPIC_ORIGIN (1): electricity from the sun or wind, `data` =
    abi.encode(bytes32 keccak256 of the log's origin, uint64 position of the leaf with the reading, bytes32 its leaf
    hash, uint64 first second, uint64 second after the last, bytes32 device in DeviceRegistry or 0);
    `validity_data` is empty for what is true for good. Otherwise it is a call that the issuer, a contract then, answers
    with true as long as the certificate counts, for example whether the log's checkpoint is final.
"""

import governed
import multi_token

initializes: governed
initializes: multi_token
exports: (governed.__interface__, multi_token.__interface__)

struct Certificate:
    topic: uint256
    issuer: address
    validity_data: Bytes[256]
    data: Bytes[512]


event IssuanceSingle:
    issuer: indexed(address)
    topic: indexed(uint256)
    id: uint256
    amount: uint256


event IssuanceBatch:
    issuer: indexed(address)
    topics: indexed(DynArray[uint256, 32])
    ids: DynArray[uint256, 32]
    amounts: DynArray[uint256, 32]


event ClaimSingle:
    claim_issuer: indexed(address)
    claim_subject: indexed(address)
    topic: indexed(uint256)
    id: uint256
    amount: uint256
    claim_data: Bytes[256]


event ClaimBatch:
    claim_issuer: indexed(address)
    claim_subject: indexed(address)
    topics: indexed(DynArray[uint256, 32])
    ids: DynArray[uint256, 32]
    amounts: DynArray[uint256, 32]
    claim_data: DynArray[Bytes[256], 32]


event IssuerSet:
    issuer: indexed(address)
    allowed: bool


ISSUANCE_BATCH: constant(bytes32) = keccak256("IssuanceBatch(address,uint256[],uint256[],uint256[])")
CLAIM_BATCH: constant(bytes32) = keccak256("ClaimBatch(address,address,uint256[],uint256[],uint256[],bytes[])")
TOPIC_ORIGIN: public(constant(uint256)) = 1

issuers: public(HashMap[address, bool])
count: public(uint256)
certificates: HashMap[uint256, Certificate]
# By keccak256 of topic and data, whoever issued; 0 where nothing was issued for them.
issued: public(HashMap[bytes32, uint256])
claimed: HashMap[uint256, HashMap[address, uint256]]


@deploy
def __init__(timelock: address):
    governed.__init__(timelock)


@external
def set_issuer(issuer: address, allowed: bool):
    """
    @notice Admit an issuer, or no longer; by the Timelock. What was issued before stays.
    """
    governed.only_timelock()
    self.issuers[issuer] = allowed
    log IssuerSet(issuer=issuer, allowed=allowed)


@external
def issue(to: address, validity_data: Bytes[256], topic: uint256, amount: uint256, data: Bytes[512]) -> uint256:
    """
    @notice Certify so many Wh, once for the same topic and data, whoever issues; by an issuer.
    @return The certificate's id.
    """
    id: uint256 = self._issue(to, validity_data, topic, amount, data)
    log multi_token.TransferSingle(operator=msg.sender, owner=empty(address), to=to, id=id, amount=amount)
    log IssuanceSingle(issuer=msg.sender, topic=topic, id=id, amount=amount)
    multi_token.ask(empty(address), to, id, amount, b"")
    return id


@external
def batchIssue(
    to: address,
    validity_data: DynArray[Bytes[256], 32],
    topics: DynArray[uint256, 32],
    amounts: DynArray[uint256, 32],
    data: DynArray[Bytes[512], 32],
) -> DynArray[uint256, 32]:
    """
    @notice Issue many at once; as `issue`, all or none.
    """
    many: uint256 = len(topics)
    multi_token.same(many, len(amounts))
    multi_token.same(many, len(validity_data))
    multi_token.same(many, len(data))
    ids: DynArray[uint256, 32] = []
    for i: uint256 in range(many, bound=32):
        ids.append(self._issue(to, validity_data[i], topics[i], amounts[i], data[i]))
    log multi_token.TransferBatch(operator=msg.sender, owner=empty(address), to=to, ids=ids, amounts=amounts)
    raw_log([ISSUANCE_BATCH, convert(msg.sender, bytes32), self._hash(topics)], abi_encode(ids, amounts))
    multi_token.ask_batch(empty(address), to, ids, amounts, b"")
    return ids


@external
def safeTransferAndClaimFrom(
    owner: address, to: address, id: uint256, amount: uint256, data: Bytes[1024], claim_data: Bytes[256]
):
    """
    @notice Claim for `to` what is the caller's, or of who approved the caller: it is moved there, burnt and noted.
    @param claim_data What it is claimed for, for whoever reads the event.
    """
    multi_token.may(owner)
    multi_token.move(owner, to, id, amount)
    self._claim(to, id, amount)
    if owner != to:
        log multi_token.TransferSingle(operator=msg.sender, owner=owner, to=to, id=id, amount=amount)
    log multi_token.TransferSingle(operator=msg.sender, owner=to, to=empty(address), id=id, amount=amount)
    log ClaimSingle(
        claim_issuer=owner,
        claim_subject=to,
        topic=self.certificates[id].topic,
        id=id,
        amount=amount,
        claim_data=claim_data,
    )
    if owner != to:
        multi_token.ask(owner, to, id, amount, data)


@external
def safeBatchTransferAndClaimFrom(
    owner: address,
    to: address,
    ids: DynArray[uint256, 32],
    amounts: DynArray[uint256, 32],
    data: Bytes[1024],
    claim_data: DynArray[Bytes[256], 32],
):
    """
    @notice Claim many at once, all or none.
    """
    multi_token.may(owner)
    multi_token.same(len(ids), len(claim_data))
    multi_token.move_many(owner, to, ids, amounts)
    topics: DynArray[uint256, 32] = []
    for i: uint256 in range(len(ids), bound=32):
        self._claim(to, ids[i], amounts[i])
        topics.append(self.certificates[ids[i]].topic)
    if owner != to:
        log multi_token.TransferBatch(operator=msg.sender, owner=owner, to=to, ids=ids, amounts=amounts)
    log multi_token.TransferBatch(operator=msg.sender, owner=to, to=empty(address), ids=ids, amounts=amounts)
    raw_log(
        [CLAIM_BATCH, convert(owner, bytes32), convert(to, bytes32), self._hash(topics)],
        abi_encode(ids, amounts, claim_data),
    )
    if owner != to:
        multi_token.ask_batch(owner, to, ids, amounts, data)


@external
@view
def claimedBalanceOf(owner: address, id: uint256) -> uint256:
    """
    @notice Wh that were claimed for somebody.
    """
    return self.claimed[id][owner]


@external
@view
def claimedBalanceOfBatch(owners: DynArray[address, 32], ids: DynArray[uint256, 32]) -> DynArray[uint256, 32]:
    """
    @notice Many claimed balances at once.
    """
    multi_token.same(len(owners), len(ids))
    found: DynArray[uint256, 32] = []
    for i: uint256 in range(len(ids), bound=32):
        found.append(self.claimed[ids[i]][owners[i]])
    return found


@external
@view
def getCertificate(id: uint256) -> (address, uint256, Bytes[256], Bytes[512]):
    """
    @notice Issuer, topic, validity data and data of a certificate.
    """
    found: Certificate = self.certificates[id]
    assert found.issuer != empty(address), "certificates: unknown"
    return found.issuer, found.topic, found.validity_data, found.data


@internal
def _issue(to: address, validity_data: Bytes[256], topic: uint256, amount: uint256, data: Bytes[512]) -> uint256:
    governed.while_open()
    assert self.issuers[msg.sender], "certificates: not an issuer"
    assert to != empty(address), "certificates: nobody's address"
    assert amount > 0, "certificates: of nothing"
    facts: bytes32 = keccak256(abi_encode(topic, data))
    assert self.issued[facts] == 0, "certificates: issued already"
    id: uint256 = self.count + 1
    self.count = id
    self.issued[facts] = id
    self.certificates[id] = Certificate(topic=topic, issuer=msg.sender, validity_data=validity_data, data=data)
    self._still_valid(id)
    multi_token.balances[id][to] = amount
    return id


@internal
def _claim(owner: address, id: uint256, amount: uint256):
    self._still_valid(id)
    multi_token.take(owner, id, amount)
    self.claimed[id][owner] += amount


@internal
@view
def _still_valid(id: uint256):
    asked: Bytes[256] = self.certificates[id].validity_data
    if len(asked) == 0:
        return
    issuer: address = self.certificates[id].issuer
    assert issuer.is_contract, "certificates: nobody answers"
    answered: bool = False
    answer: Bytes[32] = b""
    answered, answer = raw_call(issuer, asked, max_outsize=32, is_static_call=True, revert_on_failure=False)
    assert answered and len(answer) == 32 and convert(answer, uint256) == 1, "certificates: not valid any more"


@internal
@pure
def _hash(topics: DynArray[uint256, 32]) -> bytes32:
    """
    @notice The topic of an indexed array: keccak256 of its elements without offset and length (Solidity's ABI).
    """
    encoded: Bytes[1088] = abi_encode(topics)
    return keccak256(slice(encoded, 64, 32 * len(topics)))
