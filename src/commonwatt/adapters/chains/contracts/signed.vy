# pragma version ==0.4.3
"""
@title Signed: who signed typed data, said once for all contracts
@license Apache-2.0
@notice Low-s only, as `identity/keys.py` signs: of one message and key there is one signature, not two.
    The domain is made anew at each use, so that what was signed for one chain is nothing on its fork.
@dev EIP-712 (typed data), EIP-2098 (64-byte signatures), EIP-2 (low-s).
"""

DOMAIN: constant(bytes32) = keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
VERSION: constant(bytes32) = keccak256("1")
# Half the order of secp256k1.
MOST_S: constant(uint256) = 115792089237316195423570985008687907852837564279074904382605163141518161494337 // 2
S_BITS: constant(uint256) = 2**255 - 1


@internal
@view
def domain_separator(name_hash: bytes32) -> bytes32:
    """
    @notice The domain of the contract that asks.
    @param name_hash keccak256 of its name.
    """
    return keccak256(abi_encode(DOMAIN, name_hash, VERSION, chain.id, self))


@internal
@view
def digest(name_hash: bytes32, struct_hash: bytes32) -> bytes32:
    """
    @notice What a wallet signs for a struct in the domain of the contract that asks.
    """
    return keccak256(concat(x"1901", self.domain_separator(name_hash), struct_hash))


@internal
@pure
def signer(digest_: bytes32, signature: Bytes[64]) -> address:
    """
    @notice Who made this 64-byte signature (r, then s with the parity in its highest bit); nobody's is refused.
    """
    assert len(signature) == 64, "signature: not 64 bytes"
    vs: uint256 = convert(slice(signature, 32, 32), uint256)
    return self.signer_of(digest_, convert(27 + (vs >> 255), uint8), convert(slice(signature, 0, 32), uint256), vs & S_BITS)


@internal
@pure
def signer_of(digest_: bytes32, v: uint8, r: uint256, s: uint256) -> address:
    """
    @notice Who made this signature, as `ecrecover` takes it; nobody's is refused.
    """
    assert s <= MOST_S, "signature: high s"
    found: address = ecrecover(digest_, v, r, s)
    assert found != empty(address), "signature: nobody's"
    return found
