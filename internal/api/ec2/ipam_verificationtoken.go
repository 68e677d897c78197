package ec2

import (
	"context"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerVerificationTokens(svc *wire.Service) {
	handle(svc, "CreateIpamExternalResourceVerificationToken", a.createVerificationToken)
	handle(svc, "DeleteIpamExternalResourceVerificationToken", a.deleteVerificationToken)
	handle(svc, "DescribeIpamExternalResourceVerificationTokens", a.describeVerificationTokens)
}

const (
	verificationTokenID  = "ipam-ext-res-ver-token" // begins the ids
	verificationTokenTag = "ipam-external-resource-verification-token"

	// tokenNameDigits is the length of the label that a token's TXT record has
	// (EC2 user guide, "Verify your domain with a DNS TXT record").
	tokenNameDigits = 8
)

func (a *API) createVerificationToken(ctx context.Context, c *wire.Call, in *ec2.CreateIpamExternalResourceVerificationTokenInput) (*ec2.CreateIpamExternalResourceVerificationTokenOutput, error) {
	tg, err := specifiedTags(in.TagSpecifications, verificationTokenTag)
	if err != nil {
		return nil, err
	}
	tok, err := token(c, in.ClientToken)
	if err != nil {
		return nil, err
	}
	t, err := a.IPAM.CreateToken(ctx, ipam.CreateToken{
		ID: ids.EC2(verificationTokenID), IPAMID: *in.IpamId, Account: c.Account, Region: c.Region,
		Name: ids.Decimal(tokenNameDigits), Value: uuid.NewString(), Tags: tg, Token: tok, Time: c.Now,
	}, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderVerificationToken(a.Store.Snapshot(), t, c.Now)
	out.State = ec2.IpamExternalResourceVerificationTokenStateCreateInProgress
	return &ec2.CreateIpamExternalResourceVerificationTokenOutput{IpamExternalResourceVerificationToken: &out}, nil
}

func (a *API) deleteVerificationToken(ctx context.Context, c *wire.Call, in *ec2.DeleteIpamExternalResourceVerificationTokenInput) (*ec2.DeleteIpamExternalResourceVerificationTokenOutput, error) {
	before := a.Store.Snapshot() // after the deletion the tags are gone
	t, err := a.IPAM.DeleteToken(ctx, c.Account, c.Region, *in.IpamExternalResourceVerificationTokenId, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderVerificationToken(before, t, c.Now)
	out.State = ec2.IpamExternalResourceVerificationTokenStateDeleteInProgress
	return &ec2.DeleteIpamExternalResourceVerificationTokenOutput{IpamExternalResourceVerificationToken: &out}, nil
}

func (a *API) describeVerificationTokens(_ context.Context, c *wire.Call, in *ec2.DescribeIpamExternalResourceVerificationTokensInput) (*ec2.DescribeIpamExternalResourceVerificationTokensOutput, error) {
	snap := a.Store.Snapshot()
	render := func(t ipam.VerificationToken) ec2.IpamExternalResourceVerificationToken {
		return a.renderVerificationToken(snap, t, c.Now)
	}
	items, next, err := list(c, query{
		IDs: in.IpamExternalResourceVerificationTokenIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken,
		Min: minIPAMResults, Max: maxIPAMResults,
	}, source[ec2.IpamExternalResourceVerificationToken]{
		from: func(key string) iter.Seq2[string, ec2.IpamExternalResourceVerificationToken] {
			return rendered(a.IPAM.Tokens(snap, c.Account, c.Region, key), render)
		},
		get: func(id string) (ec2.IpamExternalResourceVerificationToken, bool) {
			t, ok := a.IPAM.Token(snap, c.Account, c.Region, id)
			return render(t), ok
		},
		absent:    func(id string) error { return &ipam.NotFoundError{Noun: ipam.NounToken, ID: id} },
		attribute: replyAttribute[ec2.IpamExternalResourceVerificationToken],
	})
	if err != nil {
		return nil, err
	}
	return &ec2.DescribeIpamExternalResourceVerificationTokensOutput{IpamExternalResourceVerificationTokens: items, NextToken: next}, nil
}

func (a *API) renderVerificationToken(r store.Reader, t ipam.VerificationToken, now time.Time) ec2.IpamExternalResourceVerificationToken {
	status := ec2.TokenStateValid
	if t.Expired(now) {
		status = ec2.TokenStateExpired
	}
	return ec2.IpamExternalResourceVerificationToken{
		IpamExternalResourceVerificationTokenId:  new(t.ID),
		IpamExternalResourceVerificationTokenArn: new(ipamARN(t.Account, t.ID, ipam.NounToken)),
		IpamId:                                   new(t.IPAMID), IpamArn: new(ipamARN(t.Account, t.IPAMID, ipam.NounIPAM)), IpamRegion: new(t.Region),
		TokenName: new(t.Name), TokenValue: new(t.Value), NotAfter: new(t.NotAfter), Status: status,
		State: ec2.IpamExternalResourceVerificationTokenStateCreateComplete, Tags: renderTags(a.Tags.Of(r, t.ID)),
	}
}
