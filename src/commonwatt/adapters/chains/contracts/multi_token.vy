# pragma version ==0.4.3
"""
@title Multi-token: ERC-1155, many tokens in one contract; which they are says the contract that is built on this one
@license Apache-2.0
@notice A receiving contract is asked whether it takes what it gets, and always last, when everything is written down:
    whatever it calls back, it finds nothing half done.
@dev https://eips.ethereum.org/EIPS/eip-1155. At most 32 tokens in a batch.
"""

from ethereum.ercs import IERC165

implements: IERC165

interface Receiver:
    def onERC1155Received(
        operator: address, owner: address, id: uint256, amount: uint256, data: Bytes[1024]
    ) -> bytes4: nonpayable
    def onERC1155BatchReceived(
        operator: address,
        owner: address,
        ids: DynArray[uint256, 32],
        amounts: DynArray[uint256, 32],
        data: Bytes[1024],
    ) -> bytes4: nonpayable


event TransferSingle:
    operator: indexed(address)
    owner: indexed(address)
    to: indexed(address)
    id: uint256
    amount: uint256


event TransferBatch:
    operator: indexed(address)
    owner: indexed(address)
    to: indexed(address)
    ids: DynArray[uint256, 32]
    amounts: DynArray[uint256, 32]


event ApprovalForAll:
    owner: indexed(address)
    operator: indexed(address)
    allowed: bool


balances: HashMap[uint256, HashMap[address, uint256]]
isApprovedForAll: public(HashMap[address, HashMap[address, bool]])


@external
def safeTransferFrom(owner: address, to: address, id: uint256, amount: uint256, data: Bytes[1024]):
    """
    @notice Move what is the caller's, or of who approved the caller for all; a contract is asked whether it takes it.
    """
    self.may(owner)
    self.move(owner, to, id, amount)
    log TransferSingle(operator=msg.sender, owner=owner, to=to, id=id, amount=amount)
    self.ask(owner, to, id, amount, data)


@external
def safeBatchTransferFrom(
    owner: address, to: address, ids: DynArray[uint256, 32], amounts: DynArray[uint256, 32], data: Bytes[1024]
):
    """
    @notice Move many at once, all or none.
    """
    self.may(owner)
    self.move_many(owner, to, ids, amounts)
    log TransferBatch(operator=msg.sender, owner=owner, to=to, ids=ids, amounts=amounts)
    self.ask_batch(owner, to, ids, amounts, data)


@external
def setApprovalForAll(operator: address, allowed: bool):
    """
    @notice Let somebody move and claim all that is the caller's, or no longer.
    """
    assert operator != empty(address), "token: nobody's address"
    self.isApprovedForAll[msg.sender][operator] = allowed
    log ApprovalForAll(owner=msg.sender, operator=operator, allowed=allowed)


@external
@view
def balanceOf(owner: address, id: uint256) -> uint256:
    """
    @notice What can be moved.
    """
    return self.balances[id][owner]


@external
@view
def balanceOfBatch(owners: DynArray[address, 32], ids: DynArray[uint256, 32]) -> DynArray[uint256, 32]:
    """
    @notice Many balances at once.
    """
    self.same(len(owners), len(ids))
    found: DynArray[uint256, 32] = []
    for i: uint256 in range(len(ids), bound=32):
        found.append(self.balances[ids[i]][owners[i]])
    return found


@external
@view
def supportsInterface(interface_id: bytes4) -> bool:
    """
    @notice ERC-165: that itself, and ERC-1155.
    """
    return interface_id in [0x01ffc9a7, 0xd9b67a26]


@internal
@view
def may(owner: address):
    """
    @notice Refuse whoever is neither the owner nor approved for all by the owner.
    """
    assert msg.sender == owner or self.isApprovedForAll[owner][msg.sender], "token: not approved"


@internal
def move_many(owner: address, to: address, ids: DynArray[uint256, 32], amounts: DynArray[uint256, 32]):
    """
    @notice Move many balances; the contract that is built on this one logs it, and asks the receiver last.
    """
    self.same(len(ids), len(amounts))
    for i: uint256 in range(len(ids), bound=32):
        self.move(owner, to, ids[i], amounts[i])


@internal
def move(owner: address, to: address, id: uint256, amount: uint256):
    """
    @notice Move a balance; likewise.
    """
    assert to != empty(address), "token: nobody's address"
    self.take(owner, id, amount)
    self.balances[id][to] += amount


@internal
def take(owner: address, id: uint256, amount: uint256):
    """
    @notice Take from a balance what will be elsewhere, or nowhere, from now on.
    """
    held: uint256 = self.balances[id][owner]
    assert amount <= held, "token: more than is held"
    self.balances[id][owner] = held - amount


@internal
@pure
def same(many: uint256, others: uint256):
    """
    @notice Refuse lists of different lengths, and empty ones.
    """
    assert many == others and many > 0, "token: not as many"


@internal
def ask(owner: address, to: address, id: uint256, amount: uint256, data: Bytes[1024]):
    """
    @notice Whether a contract takes what is already its own: it is asked last, so that it finds nothing half done.
    """
    if to.is_contract:
        answer: bytes4 = extcall Receiver(to).onERC1155Received(msg.sender, owner, id, amount, data)
        assert answer == 0xf23a6e61, "token: not taken"


@internal
def ask_batch(
    owner: address, to: address, ids: DynArray[uint256, 32], amounts: DynArray[uint256, 32], data: Bytes[1024]
):
    """
    @notice Likewise, for many at once.
    """
    if to.is_contract:
        answer: bytes4 = extcall Receiver(to).onERC1155BatchReceived(msg.sender, owner, ids, amounts, data)
        assert answer == 0xbc197c81, "token: not taken"
